import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  type BrowserFullStack,
  createBrowserFullStack,
  password,
} from '../../../test/support/full-stack/browser-full-stack.ts'
import { highLimits } from '../../../test/support/high-limits.ts'
import { routes } from '../../routes.ts'

let fullStack: BrowserFullStack
beforeAll(async () => {
  fullStack = await createBrowserFullStack(highLimits)
})
afterAll(() => fullStack.close())

afterEach(async () => {
  await fullStack.closePages()
  expect(fullStack.faults.splice(0)).toEqual([])
})

const operation = (page: Page, id: string) => page.locator(`.opblock[id$="-${id}"]`)

async function openDocs(): Promise<Page> {
  const page = await fullStack.openPage('/docs')
  await operation(page, 'readMe').waitFor()
  return page
}

async function signIn(page: Page, email: string) {
  const header = page.getByRole('banner')
  await header.getByLabel('Email').fill(email)
  await header.getByLabel('Password').fill(password)
  await header.getByRole('button', { name: 'Sign in' }).click()
  await header.getByText(email).waitFor()
}

/** Opens an operation and tries it. */
async function tryOut(page: Page, id: string, body?: string) {
  const block = operation(page, id)
  await block.locator('.opblock-summary-control').click()
  await block.getByRole('button', { name: 'Try it out' }).click()
  if (body !== undefined) await block.locator('textarea').fill(body)
  await execute(page, id)
}

async function execute(page: Page, id: string) {
  await operation(page, id).getByRole('button', { name: 'Execute' }).click()
}

const answer = (page: Page, id: string) => operation(page, id).locator('.live-responses-table')

describe('the docs page', { timeout: 90_000 }, () => {
  test('shows each row of the policy table, and the endpoints of the gateway itself', async () => {
    const page = await openDocs()
    const own = ['/live', '/ready', '/health']
    const shown = await page.locator('.opblock-summary-path').allTextContents()
    const paths = shown.map((path) => path.replaceAll('\u200b', ''))
    expect(paths.sort()).toEqual([...routes.map(({ path }) => path), ...own].sort())
  })

  test('calls as the signed-in user, and without a token after sign-out', async () => {
    const page = await openDocs()
    await signIn(page, 'subscriber@example.com')

    await tryOut(page, 'readMe')
    await answer(page, 'readMe').getByText('"subscriber@example.com"').waitFor()

    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('banner').getByRole('button', { name: 'Sign in' }).waitFor()
    await execute(page, 'readMe')
    const rejection = answer(page, 'readMe').getByText('"token_missing"')
    await rejection.waitFor()
    expect(await rejection.isVisible()).toBe(true)
  })

  test('takes the token of a login that is tried on it', async () => {
    const page = await openDocs()
    await tryOut(page, 'login', JSON.stringify({ email: 'guest@example.com', password }))
    await answer(page, 'login').getByText('"access_token"').waitFor()
    await tryOut(page, 'readMe')
    const email = answer(page, 'readMe').getByText('"guest@example.com"')
    await email.waitFor()
    expect(await email.isVisible()).toBe(true)
  })

  test('renews an expired token, and shows that', async () => {
    const page = await openDocs()
    await signIn(page, 'user@example.com')
    await tryOut(page, 'readMe')
    await answer(page, 'readMe').getByText('"user@example.com"').waitFor()

    await changeFreePlan()
    await expect
      .poll(
        async () => {
          await execute(page, 'readMe')
          return page.locator('#notice').textContent()
        },
        { timeout: 15_000, interval: 500 },
      )
      .toContain('has been renewed')
    await execute(page, 'readMe')
    await answer(page, 'readMe').getByText('"user@example.com"').waitFor()
  })

  test('runs no script that is put into it', async () => {
    const page = await openDocs()
    const intruded = await page.evaluate(() => {
      const script = document.createElement('script')
      script.textContent = 'globalThis.intruded = true'
      document.body.append(script)
      return 'intruded' in globalThis
    })
    expect(intruded).toBe(false)
    expect(fullStack.faults.splice(0)).toEqual([expect.stringContaining('Content Security Policy')])
  })
})

/** Makes the tokens of everybody on Free stale, as an admin elsewhere does. */
async function changeFreePlan() {
  const json = { 'content-type': 'application/json' }
  const login = await fetch(`${fullStack.url}/auth/login`, {
    method: 'POST',
    headers: json,
    body: JSON.stringify({ email: 'admin@example.com', password }),
  })
  const { access_token: token } = (await login.json()) as { access_token: string }
  const changed = await fetch(`${fullStack.url}/admin/plans/free`, {
    method: 'PATCH',
    headers: { ...json, authorization: `Bearer ${token}` },
    body: JSON.stringify({ api_quota_per_hour: 1100 }),
  })
  expect(changed.status).toBe(200)
}
