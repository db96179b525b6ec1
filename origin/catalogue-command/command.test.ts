import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exampleCatalogue } from '../../dev/seed/catalogue.ts'
import { bearer, createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const pathOf = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))
const command = pathOf('./command.ts')
const accountsCommand = pathOf('../accounts-command/command.ts')
const notes = pathOf('../../test/support/catalogue/notes-product.yaml')

let fullStack: FullStack
let folder: string
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  folder = await mkdtemp(join(tmpdir(), 'catalogue-'))
})
afterAll(async () => {
  await fullStack.close()
  await rm(folder, { recursive: true })
})

/** A command in a process of its own. */
function run(command: string, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const env = {
    PATH: process.env.PATH ?? '',
    DATABASE_URL: fullStack.remains.databaseUrl,
    KEY_ENCRYPTION_KEY: fullStack.secrets.KEY_ENCRYPTION_KEY,
  }
  return new Promise((resolve) => {
    execFile(process.execPath, [command, ...args], { env, cwd: folder }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    )
  })
}

/** `npm run catalogue -- ...` */
const catalogue = (...args: string[]) => run(command, ...args)

const names = async () => {
  const [row] = await fullStack.sql`
    select (select array_agg(name order by level) from roles) as roles,
      (select array_agg(name order by rank) from subscription_plans) as plans`
  return row
}

describe('npm run catalogue', () => {
  test('64: malformed arguments, with the usage', async () => {
    const { code, out, err } = await catalogue('apply')
    expect({ code, out }).toEqual({ code: 64, out: '' })
    expect(err).toContain('npm run catalogue -- apply FILE')
  })

  test('1: a file that is missing, or has faults, with line and column; nothing changes', async () => {
    expect(await catalogue('apply', 'nowhere.yaml')).toEqual({
      code: 1,
      out: '',
      err: 'nowhere.yaml cannot be read: ENOENT\n',
    })
    await writeFile(
      join(folder, 'broken.yaml'),
      'permissions: {}\nroles: {}\nfeatures: {}\nplans:\n  a: {}\n',
    )
    const before = await names()
    const { code, err } = await catalogue('apply', 'broken.yaml')
    expect(code).toBe(1)
    expect(err).toMatch(/^broken\.yaml:5:3: plans\.a: is not the name of a plan$/m)
    expect(await names()).toEqual(before)
  })

  test('0: show prints a file that leads to the same catalogue', async () => {
    const { code, out } = await catalogue('show')
    expect(code).toBe(0)
    await writeFile(join(folder, 'shown.yaml'), out)
    for (const file of ['shown.yaml', exampleCatalogue])
      expect(await catalogue('diff', file)).toMatchObject({
        code: 0,
        out: 'The database has this catalogue already.\n',
      })
  })

  test('0: diff, and apply as a dry run, say what would change and write nothing', async () => {
    const before = await names()
    for (const args of [
      ['diff', notes],
      ['apply', notes, '--dry-run'],
    ]) {
      const { code, out } = await catalogue(...args)
      expect(code).toBe(0)
      for (const line of [
        '+ permission notes.read',
        '- permission dashboard.read',
        '+ role reader',
        '- role guest',
        '+ feature attachments',
        '+ plan studio',
        '~ plans: free, starter, pro, business, enterprise -> hobby, studio',
        'Nothing was applied.',
      ])
        expect(out.split('\n')).toContain(line)
    }
    expect(await names()).toEqual(before)
  })

  test('1: what accounts have is not removed, and it says by how many', async () => {
    await fullStack.signUp('ada@example.com')
    expect(await catalogue('apply', notes)).toEqual({
      code: 1,
      out: '',
      err:
        'The role user cannot be removed: 1 account has it.\n' +
        'The plan free cannot be removed: 1 subscription has it, past ones counted.\n' +
        'Nothing was applied.\n',
    })
    await fullStack.sql`delete from user_accounts`
  })

  test('0: a product of another vocabulary: its accounts register and sign in with its own roles and plans', async () => {
    const { code, out } = await catalogue('apply', notes)
    expect({ code, last: out.trimEnd().split('\n').at(-1) }).toEqual({
      code: 0,
      last: 'Applied: 3 roles, 10 permissions, 2 plans, 1 features.',
    })
    expect(await names()).toEqual({ roles: ['reader', 'writer', 'owner'], plans: ['hobby', 'studio'] })
    const { tokens } = await fullStack.signUp('grace@example.com')
    expect(decodeJwt(tokens.access_token)).toMatchObject({
      role: 'reader',
      level: 5,
      permissions: ['notes.read', 'profile.read'],
      plan: 'hobby',
      quota: 600,
    })
    const me = await fullStack.call('/v1/me', { headers: bearer(tokens.access_token) })
    expect(me.status).toBe(200)

    await writeFile(join(folder, 'users.ndjson'), '{"email":"alan@example.com"}\n')
    expect(await run(accountsCommand, 'import', 'users.ndjson')).toMatchObject({ code: 0 })
    const imported = await fullStack.sql`
      select role.name as role, plan.name as plan from user_accounts account
      join roles role on role.id = role_id
      join user_subscriptions subscription on subscription.user_id = account.id
      join subscription_plans plan on plan.id = plan_id
      where account.email = 'alan@example.com'`
    expect([...imported]).toEqual([{ role: 'reader', plan: 'hobby' }])
  })

  test('0: tokens of a role that changed are stale, and those of others are not', async () => {
    await fullStack.signUp('radia@example.com')
    await fullStack.sql`
      update user_accounts set role_id = (select id from roles where name = 'writer') where email = 'radia@example.com'`
    const password = 'correct horse battery'
    const reader = (await fullStack.login('grace@example.com', password)).access_token
    const writer = (await fullStack.login('radia@example.com', password)).access_token
    const { out } = await catalogue('show')
    await writeFile(join(folder, 'next.yaml'), out.replace('level: 20', 'level: 30'))
    const applied = await catalogue('apply', 'next.yaml')
    expect(applied.out).toContain('~ role writer: level 20 -> 30\nTokens to refresh: role writer\n')
    await fullStack.syncRevocations()
    const codeOf = async (token: string) =>
      ((await (await fullStack.call('/v1/me', { headers: bearer(token) })).json()) as { code?: string }).code
    expect(await codeOf(writer)).toBe('claims_stale')
    expect(await codeOf(reader)).toBeUndefined()
  })
})
