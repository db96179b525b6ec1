import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { delimiter, dirname } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { generateSecrets } from '../../dev/secrets.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { createTemporaryFolder, removeFolder } from '../../tools/servers/process/temporary-folder.ts'
import { closeSockets, listen } from '../support/gateway/sockets.ts'

let environment: Record<string, string>
beforeEach(async () => {
  environment = {
    PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
    NODE_COMPILE_CACHE: await createTemporaryFolder('compile-cache'),
  }
})
afterEach(async () => {
  await closeSockets()
  await removeFolder(environment.NODE_COMPILE_CACHE ?? '')
})

/** Prints at the end whether Node's type stripper was loaded. */
const report =
  'data:text/javascript,process.on("exit",()=>console.log("stripper:",process.moduleLoadList.some((name)=>name.includes("amaro"))))'

describe.each(['gateway', 'origin'] as const)('%s', (service) => {
  const command = packageJson.scripts[service].replace(/^.*exec node /, '')

  /**
   * Starts the service with a configuration that it cannot serve with: a port that is taken, no
   * database. It loads all that it needs to serve, and ends.
   */
  async function loadsTypeStripper(variables = {}): Promise<boolean> {
    const port = await listen(createServer())
    const child = spawn(process.execPath, ['--import', report, ...command.split(' ')], {
      env: {
        ...environment,
        ...(await generateSecrets()),
        GATEWAY_PORT: `${port}`,
        DATABASE_URL: 'postgres://127.0.0.1:9/none',
        ...variables,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
    expect(code).toBe(1)
    expect(output).toContain('stripper: ')
    return output.split('\n').includes('stripper: true')
  }

  test('the second start by npm strips no types: it reads what the first one compiled', {
    timeout: 60_000,
  }, async () => {
    expect(await loadsTypeStripper()).toBe(true)
    expect(await loadsTypeStripper()).toBe(false)
  })

  test('the image has all that it compiles, with traces and workers too', { timeout: 60_000 }, async () => {
    const [, stage = ''] = readFileSync('Dockerfile', 'utf8').split(`FROM compiler AS ${service}-cache\n`)
    const fill = /^RUN (node (?:.*\\\n)+.*)$/m.exec(stage)?.[1] ?? ''
    // V8 takes no code that was compiled with other flags.
    const flags = command.split(' ').filter((word) => word.startsWith('--'))
    for (const run of fill.split('&&')) expect(run).toContain(['node', ...flags, ''].join(' '))
    for (const worker of globSync(`${service}/**/*-worker.ts`)) expect(fill).toContain(`--import ./${worker}`)
    const filling = spawn('sh', ['-c', fill], { env: environment, stdio: 'ignore' })
    expect((await once(filling, 'exit'))[0]).toBe(0)
    expect(await loadsTypeStripper({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' })).toBe(false)
  })
})
