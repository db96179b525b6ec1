import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, inject, test } from 'vitest'
import { generateSecrets } from '../dev/secrets.ts'
import { redisForFile } from '../tools/servers/redis/test-redis.ts'

const main = fileURLToPath(new URL('main.ts', import.meta.url))

test('78: a Redis of another kind than REDIS_URL says, with the reason', async () => {
  const child = spawn(process.execPath, [main], {
    env: {
      ...(await generateSecrets()),
      DATABASE_URL: inject('postgresUrl'),
      REDIS_URL: (await redisForFile()).replace(/^redis:(.*)\/\d+$/, 'redis-cluster:$1'),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const errorOutput = text(child.stderr)
  expect((await once(child, 'exit'))[0]).toBe(78)
  expect(await errorOutput).toContain('REDIS_URL: leads to one server')
})
