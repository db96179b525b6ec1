import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  type BrowserFullStack,
  createBrowserFullStack,
  password,
} from '../../test/support/full-stack/browser-full-stack.ts'
import { totpCodeOf, wrongCodeOf } from '../../test/support/full-stack/second-factor.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const email = 'superadmin@example.com'

let fullStack: BrowserFullStack
let secret: string
beforeAll(async () => {
  fullStack = await createBrowserFullStack(highLimits)
  secret = await addTotp()
})
afterAll(() => fullStack.close())
afterEach(async () => {
  await fullStack.closePages()
  expect(fullStack.faults.splice(0)).toEqual([])
})

async function call<Answer>(path: string, body: unknown, token?: string): Promise<Answer> {
  const response = await fetch(fullStack.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify(body),
  })
  return (await response.json()) as Answer
}

async function addTotp(): Promise<string> {
  const { access_token } = await call<{ access_token: string }>('/auth/login', { email, password })
  const enrolment = await call<{ secret: string }>('/auth/factors/totp', {}, access_token)
  await call('/auth/factors/totp/confirm', { code: totpCodeOf(enrolment.secret) }, access_token)
  return enrolment.secret
}

const forgetCodes = () => fullStack.sql`update totp_secrets set last_step = 0`

const levels = async () =>
  (await fullStack.sql<{ acr: string }[]>`select acr from sessions order by created_at`).map(({ acr }) => acr)

async function answer(page: Page, code: string) {
  await page.getByLabel('Code of your authenticator app').fill(code)
  await page.keyboard.press('Enter')
}

async function signIn(page: Page) {
  await page.getByLabel('Email').fill(email)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

test('a user signs in with password and code, by keyboard; a wrong code is asked for again', async () => {
  await forgetCodes()
  const page = await fullStack.openPage('/admin')
  await signIn(page)
  await answer(page, wrongCodeOf(secret))
  await page.getByText('The code is wrong').waitFor()
  await answer(page, totpCodeOf(secret))
  await page.getByRole('heading', { level: 1, name: 'Users' }).waitFor()
  expect(await levels()).toContain('aal2')
})

test('a change of access asks for the code again, and is made then', async () => {
  await forgetCodes()
  const page = await fullStack.openPage('/admin')
  await signIn(page)
  await answer(page, totpCodeOf(secret))
  await page.getByRole('heading', { level: 1, name: 'Users' }).waitFor()
  await fullStack.sql`update sessions set authenticated_at = now() - interval '1 hour'`
  await forgetCodes()
  // A reload refreshes the token, which says when the session was authenticated.
  await page.reload()
  await page.getByRole('link', { name: 'user@example.com', exact: true }).click()
  await page.getByRole('heading', { level: 1, name: 'user@example.com' }).waitFor()
  await page.getByLabel('Role').selectOption('subscriber')
  await page.getByRole('button', { name: 'Change role' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Change role' }).click()
  await answer(page, totpCodeOf(secret))
  await page.getByText('user@example.com is subscriber now').waitFor()
  const steppedUp = await fullStack.sql`select from audit_logs where action = 'session.stepped_up'`
  expect(steppedUp).toHaveLength(1)
})
