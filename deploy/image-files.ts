import { readFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { basename, dirname, join, matchesGlob, relative } from 'node:path'
import type { Step } from './dockerfile.ts'

/**
 * Files of a context that .dockerignore keeps: the last pattern that matches a path, or a folder
 * above it, decides.
 */
function createContextFilter(ignoreFile: string): (path: string) => boolean {
  const patterns = readFileSync(ignoreFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ included: line.startsWith('!'), pattern: line.replace(/^!/, '') }))
  return function isInContext(path) {
    const deciding = patterns.findLast(({ pattern }) =>
      withFoldersAbove(path).some((each) => matchesGlob(each, pattern)),
    )
    return deciding?.included ?? true
  }
}

function withFoldersAbove(path: string): string[] {
  return path === '.' ? [] : [path, ...withFoldersAbove(dirname(path))]
}

/** Puts into a folder what the steps copy out of the context. */
export async function copySteps(steps: readonly Step[], context: string, folder: string): Promise<void> {
  const isInContext = createContextFilter(join(context, '.dockerignore'))
  for (const { instruction, words } of steps) {
    if (instruction !== 'COPY' || words[0]?.startsWith('--from')) continue
    const target = words.at(-1) ?? ''
    for (const source of words.slice(0, -1)) {
      await cp(join(context, source), join(folder, target, target.endsWith('/') ? basename(source) : ''), {
        recursive: true,
        filter: (path) => isInContext(relative(context, path)),
      })
    }
  }
}
