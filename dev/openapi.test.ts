import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTemporaryFolder, removeFolder } from '../tools/servers/process/temporary-folder.ts'

const command = fileURLToPath(new URL('./openapi.ts', import.meta.url))

let folder: string
beforeAll(async () => {
  folder = await createTemporaryFolder('openapi')
})
afterAll(() => removeFolder(folder))

/** `npm run openapi -- ...` in a process of its own. */
function openapi(
  args: string[],
  environment: Record<string, string> = {},
): Promise<{ code: number; out: string; err: string }> {
  const env = { PATH: process.env.PATH ?? '', ...environment }
  return new Promise((resolve) => {
    execFile(process.execPath, [command, ...args], { env, cwd: folder }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    )
  })
}

test('prints the public API as it is configured, with the rows of the policy file', async () => {
  const file = join(folder, 'policy.yaml')
  await writeFile(
    file,
    'routes: [{ method: GET, path: /v1/orders, upstream: orders, who: public, limits: [address] }]',
  )
  const { code, out } = await openapi([], {
    PRODUCT_NAME: 'Ham',
    PASSWORD_MIN_LENGTH: '16',
    POLICY_FILE: file,
  })
  expect(code).toBe(0)
  const { info, paths } = JSON.parse(out)
  expect(info.title).toBe('Ham')
  expect(paths).toHaveProperty(['/v1/orders'])
  expect(paths).not.toHaveProperty(['/internal/users'])
  const { schema } = paths['/auth/register'].post.requestBody.content['application/json']
  expect(schema.properties.password.minLength).toBe(16)
})

test('prints the internal API', async () => {
  const { code, out } = await openapi(['internal'])
  expect(code).toBe(0)
  const { info, paths } = JSON.parse(out)
  expect(info.title).toBe('Gatehouse internal API')
  expect(Object.keys(paths).every((path) => path.startsWith('/internal/'))).toBe(true)
})

test('64: an API that there is not, with the usage', async () => {
  expect(await openapi(['private'])).toMatchObject({ code: 64, err: expect.stringContaining('Usage:') })
})
