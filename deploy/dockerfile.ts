import { readFileSync } from 'node:fs'

export interface Step {
  instruction: string
  /** As written, or the items of a JSON array. */
  words: string[]
  text: string
}

export interface Stage {
  name: string
  from: string
  steps: Step[]
}

export interface Dockerfile {
  args: Record<string, string>
  stages: Stage[]
}

/**
 * Reads what our Dockerfile uses of the language: no heredocs, no other escape, no flags but those
 * of COPY and HEALTHCHECK.
 */
export function readDockerfile(path: string): Dockerfile {
  const args: Record<string, string> = {}
  const stages: Stage[] = []
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const [, instruction = '', text = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? []
    if (instruction === '') continue
    const step = { instruction, text, words: wordsOf(text) }
    const [from = '', , name = from] = step.words
    if (instruction === 'FROM') stages.push({ name, from, steps: [] })
    else if (instruction === 'ARG') Object.assign(args, Object.fromEntries([text.split('=')]))
    else stages.at(-1)?.steps.push(step)
  }
  return { args, stages }
}

function wordsOf(text: string): string[] {
  const array = /\[.*\]$/.exec(text)
  return array ? JSON.parse(array[0]) : text.split(/\s+/)
}

/** Every step of a target, those of its base stages first. */
export function stepsOf({ stages }: Dockerfile, target: string): Step[] {
  const stage = stages.find(({ name }) => name === target)
  if (!stage) return []
  return [...stepsOf({ args: {}, stages }, stage.from), ...stage.steps]
}

/** The environment that an image gives its process. */
export function environmentOf(steps: readonly Step[]): Record<string, string> {
  const assignments = steps
    .filter(({ instruction }) => instruction === 'ENV')
    .flatMap(({ words }) => words.map((word) => word.split('=') as [string, string]))
  return Object.fromEntries(assignments)
}

/** The command of an image. */
export function commandOf(steps: readonly Step[], args?: readonly string[]): string[] {
  const last = (wanted: string) => steps.findLast(({ instruction }) => instruction === wanted)?.words ?? []
  return [...last('ENTRYPOINT'), ...(args ?? last('CMD'))]
}
