import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createTestDatabase,
  directUrl,
  type TestDatabase,
} from '../../tools/servers/postgres/test-database.ts'

const command = fileURLToPath(new URL('command.ts', import.meta.url))

const policy = `routes:
  - method: GET
    path: /v1/orders/{id}
    rewrite: /orders/{id}
    upstream: orders
    who: user
    permissions: { all: [users.read] }
    limits: [user]
`

const expectations = `policy: policy.yaml
upstreams: [orders]
callers:
  clerk: { permissions: [users.read] }
  guest: {}
expect:
  - { request: GET /v1/orders/42, as: clerk, expect: allow, upstream: orders, target: /orders/42 }
  - { request: GET /v1/orders/42, as: guest, expect: permission_required }
  - { request: GET /v1/orders/42, expect: token_missing, row: '/v1/orders/{id}' }
  - { request: POST /v1/orders/42, as: clerk, expect: method_not_allowed }
  - { request: GET /v1/orders/../me, expect: bad_request }
  - { request: GET /nowhere, expect: not_found }
`

let folder: string
let database: TestDatabase
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-policy-tool-'))
  database = await createTestDatabase()
  const sql = postgres(directUrl(database.url), { max: 1 })
  await sql`
    insert into user_accounts (email, password_hash, role_id)
    values ('ada@example.com', 'x', (select id from roles where name = 'user'))`
  await sql.end()
  await writeFile(join(folder, 'policy.yaml'), policy)
  await writeFile(join(folder, 'test.yaml'), expectations)
  await writeFile(join(folder, 'wrong.yaml'), expectations.replace('permission_required', 'allow'))
  await writeFile(join(folder, 'typo.yaml'), expectations.replace('as: guest', 'as: gust'))
  await writeFile(join(folder, 'bad.yaml'), policy.replace('users.read', 'users.raed'))
})
afterAll(async () => {
  await database.drop()
  await rm(folder, { recursive: true })
})

/** The command in the folder of the files, with its exit code. */
const run = (...args: string[]) =>
  new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    const env = { DATABASE_URL: database.url, UPSTREAMS: '{"orders":"http://127.0.0.1:1"}', PATH: '' }
    execFile(process.execPath, [command, ...args], { cwd: folder, env }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    )
  })

describe('npm run policy', () => {
  test('test: 0 where each decision is as expected, 1 with line and difference where one is not', async () => {
    const [good, wrong, typo] = await Promise.all(
      ['test.yaml', 'wrong.yaml', 'typo.yaml'].map((file) => run('test', file)),
    )
    expect(good).toEqual({ code: 0, stdout: 'test.yaml: 6 decisions are as expected.\n', stderr: '' })
    expect(wrong).toMatchObject({
      code: 1,
      stderr:
        'wrong.yaml:8: GET /v1/orders/42 as guest: expect is permission_required, not allow\n1 of 6 decisions differ.\n',
    })
    expect(typo).toMatchObject({
      code: 1,
      stderr: 'typo.yaml:8: expect.1.as: must be one of callers: clerk, guest\n',
    })
  })

  test('explain: each step with its reason, for an account as it stands', async () => {
    const [asAda, asNobody] = await Promise.all([
      run('explain', 'GET', '/v1/orders/42', '--as', 'ada@example.com', '--policy', 'policy.yaml'),
      run('explain', 'GET', '/v1/orders/42', '--policy', 'policy.yaml'),
    ])
    expect(asAda).toMatchObject({ code: 0, stderr: '' })
    expect(asAda.stdout).toMatch(
      /ok {2}matchRow +row GET \/v1\/orders\/\{id\} \(policy\.yaml:2\), to orders as \/orders\/42/,
    )
    expect(asAda.stdout).toMatch(/ok {2}authenticateCaller +the token is valid: ada@example.com, role user/)
    expect(asAda.stdout).toMatch(/ok {2}consumeLimits +counts against user/)
    expect(asAda.stdout).toMatch(/no {2}requireAuthorization +403 permission_required.*users\.read/)
    expect(asAda.stdout).toMatch(/\n403 permission_required\n$/)
    expect(asNobody.stdout).toMatch(/no {2}authenticateCaller +401 token_missing/)
  })

  test('check: 0 for a file that can be used, 1 with file, line, field and the nearest name', async () => {
    const [good, bad, offline] = await Promise.all([
      run('check', 'policy.yaml'),
      run('check', 'bad.yaml'),
      run('check', 'bad.yaml', '--offline'),
    ])
    expect(good).toEqual({ code: 0, stdout: 'policy.yaml: 1 rows can be used.\n', stderr: '' })
    expect(bad).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^bad\.yaml:7: permissions: .*nearest is users\.read/),
    })
    expect(offline).toMatchObject({ code: 0, stdout: expect.stringContaining('were not compared') })
  })

  test('64 for wrong usage, 1 for a file that is not there', async () => {
    const [usage, missing] = await Promise.all([
      run('chek', 'policy.yaml'),
      run('check', 'none.yaml', '--offline'),
    ])
    expect(usage).toMatchObject({ code: 64, stderr: expect.stringContaining('Usage: npm run policy') })
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('none.yaml') })
  })
})
