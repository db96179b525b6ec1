import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/**
 * `npm run drill`: runs `main.ts` apart from the terminal, whose Ctrl-C would reach its servers and
 * every program that it runs, and passes signals on to it alone.
 */
const main = fileURLToPath(new URL('main.ts', import.meta.url))
const drill = spawn(process.execPath, [main, ...process.argv.slice(2)], { detached: true, stdio: 'inherit' })
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => drill.kill(name))
// The terminal was closed.
process.on('SIGHUP', () => drill.kill('SIGTERM'))
const [code] = await once(drill, 'exit')
process.exitCode = code ?? 1
