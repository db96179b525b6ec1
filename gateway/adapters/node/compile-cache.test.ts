import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { delimiter, dirname } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { generateSecrets } from '../../../dev/secrets.ts'
import packageJson from '../../../package.json' with { type: 'json' }
import { closeSockets, listen } from '../../../test/support/gateway/sockets.ts'
import { createTemporaryFolder, removeFolder } from '../../../tools/servers/process/temporary-folder.ts'

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

const command = packageJson.scripts.gateway.replace(/^.*exec node /, '')

/**
 * Starts the gateway with a configuration on a port that is taken: it loads all that it needs to
 * serve, and ends.
 */
async function loadsTypeStripper(variables = {}): Promise<boolean> {
  const { ASSERTION_PRIVATE_JWK } = await generateSecrets()
  const port = await listen(createServer())
  const child = spawn(process.execPath, ['--import', report, ...command.split(' ')], {
    env: { ...environment, ASSERTION_PRIVATE_JWK, GATEWAY_PORT: `${port}`, ...variables },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  expect(code).toBe(1)
  expect(output).toContain('stripper: ')
  return output.split('\n').includes('stripper: true')
}

test('the second start of `npm run gateway` strips no types: it reads what the first one compiled', async () => {
  expect(await loadsTypeStripper()).toBe(true)
  expect(await loadsTypeStripper()).toBe(false)
})

test('the image has all that its gateway compiles, with traces too', { timeout: 60_000 }, async () => {
  const [, stage = ''] = readFileSync('Dockerfile', 'utf8').split('FROM service AS gateway-cache\n')
  const fill = /^RUN (node (?:.*\\\n)+.*)$/m.exec(stage)?.[1] ?? ''
  // V8 takes no code that was compiled with other flags.
  for (const run of fill.split('&&')) expect(run).toContain(`node ${command.split(' ')[0]} `)
  const filling = spawn('sh', ['-c', fill], { env: environment, stdio: 'ignore' })
  expect((await once(filling, 'exit'))[0]).toBe(0)
  expect(await loadsTypeStripper({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' })).toBe(false)
})
