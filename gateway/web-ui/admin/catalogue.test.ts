import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { tabTo, violations } from '../../../test/support/full-stack/accessibility.ts'
import {
  type BrowserFullStack,
  createBrowserFullStack,
  password,
} from '../../../test/support/full-stack/browser-full-stack.ts'
import { highLimits } from '../../../test/support/high-limits.ts'

let fullStack: BrowserFullStack
beforeAll(async () => {
  fullStack = await createBrowserFullStack(highLimits)
})
afterAll(() => fullStack.close())

afterEach(async () => {
  await fullStack.closePages()
  expect(fullStack.faults.splice(0)).toEqual([])
})

/** A phone (CSS pixels). */
const phone = { viewport: { width: 360, height: 740 } }

/** Opens a section as somebody who is signed in. */
async function openSection(section: string, { as = 'superadmin', options = {} } = {}): Promise<Page> {
  const page = await fullStack.openPage(`/admin#/${section}`, options)
  await page.getByLabel('Email').fill(`${as}@example.com`)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.locator('#view h1').waitFor()
  return page
}

/** The notice and the refusal that the page shows. */
const lastWords = (page: Page) => page.locator('#notice, #refusal').allTextContents()
const patient = { timeout: 15_000 }

const said = (page: Page, text: string) =>
  expect.poll(() => lastWords(page), patient).toEqual([expect.stringContaining(text), ''])
const refused = (page: Page, text: string) => expect.poll(() => lastWords(page), patient).toEqual(['', text])

async function turnTo(page: Page, section: string) {
  await page.getByRole('navigation').getByRole('link', { name: section, exact: true }).click()
  await page.getByRole('heading', { level: 1, name: section }).waitFor()
}

async function removeThis(page: Page, kind: string, name: string) {
  await page.getByRole('button', { name: `Remove this ${kind}` }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
  await page.getByRole('heading', { level: 1, name: `${name} is removed` }).waitFor()
}

describe('the pages of the catalogue', { timeout: 90_000 }, () => {
  test('create a permission and a role with it, change and remove both', async () => {
    const page = await openSection('permissions')
    await page.getByLabel('Name, such as').fill('orders.read')
    await page.getByLabel('Description').fill('See orders')
    await page.getByRole('button', { name: 'Create permission' }).click()
    await said(page, 'orders.read is created.')
    await page.getByRole('cell', { name: 'See orders' }).waitFor()

    await turnTo(page, 'Roles')
    await page.getByLabel('Name, such as').fill('editor')
    await page.getByLabel('Level').fill('20')
    await page.getByLabel('Description').fill('Edits orders')
    await page.getByLabel('See orders').check()
    await page.getByRole('button', { name: 'Create role' }).click()
    await said(page, 'editor is created.')

    await page.getByRole('link', { name: 'editor' }).click()
    await page.getByRole('heading', { level: 1, name: 'editor' }).waitFor()
    await page.getByLabel('Level').fill('30')
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await said(page, 'editor is saved.')
    await page.getByLabel('See analytics').check()
    await page.getByRole('button', { name: 'Save permissions' }).click()
    await said(page, 'editor has 2 permissions now.')
    const [role] = await fullStack.sql`select level, description from roles where name = 'editor'`
    expect(role).toEqual({ level: 30, description: 'Edits orders' })

    await turnTo(page, 'Permissions')
    await page.getByRole('link', { name: 'orders.read' }).click()
    await page.getByRole('heading', { level: 1, name: 'orders.read' }).waitFor()
    await page.getByRole('button', { name: 'Remove this permission' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
    await refused(page, 'This is in use: 1 role has it.')
    await page.getByLabel('Description').fill('See all orders')
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await said(page, 'orders.read is saved.')

    await page.goto(`${fullStack.url}/admin#/roles/editor`)
    await page.getByRole('heading', { level: 1, name: 'editor' }).waitFor()
    await removeThis(page, 'role', 'editor')
    await page.goto(`${fullStack.url}/admin#/permissions/orders.read`)
    await page.getByRole('heading', { level: 1, name: 'orders.read' }).waitFor()
    await removeThis(page, 'permission', 'orders.read')
  })

  test('say in words what is refused: another’s level, what accounts have, the role of new accounts', async () => {
    const page = await openSection('roles/superadmin')
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await refused(page, 'This role is at your own level or above it.')
    await page.goto(`${fullStack.url}/admin#/roles/guest`)
    await page.getByRole('heading', { level: 1, name: 'guest' }).waitFor()
    await page.getByRole('button', { name: 'Remove this role' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
    await refused(page, 'This is in use: 1 account has it.')
    await page.getByRole('button', { name: 'Give this role to new accounts' }).click()
    await said(page, 'New accounts are guest from now on.')
    await page.goto(`${fullStack.url}/admin#/roles/user`)
    await page.getByRole('heading', { level: 1, name: 'user' }).waitFor()
    await page.getByRole('button', { name: 'Give this role to new accounts' }).click()
    await said(page, 'New accounts are user from now on.')
  })

  test('create a feature and a plan, give the plan the feature, set its quota, and remove both', async () => {
    const page = await openSection('features', { as: 'admin' })
    await page.getByLabel('Name, such as').fill('live_chat')
    await page.getByLabel('Description').fill('Chat with us')
    await page.getByRole('button', { name: 'Create feature' }).click()
    await said(page, 'live_chat is created.')

    await turnTo(page, 'Plans')
    await page.getByLabel('Name, such as').fill('team')
    await page.getByLabel('Title').fill('Team')
    await page.getByRole('button', { name: 'Create plan' }).click()
    await said(page, 'Team is created')
    await page.getByRole('link', { name: 'Team' }).click()
    await page.getByRole('heading', { level: 1, name: 'Team' }).waitFor()
    await page.getByLabel('Chat with us').check()
    await page.getByRole('button', { name: 'Save features' }).click()
    await said(page, 'Team has 1 features now.')

    await turnTo(page, 'Quotas')
    await page.getByLabel('Requests an hour on Team').fill('7000')
    await page.getByRole('button', { name: 'Save the quota of Team' }).click()
    await said(page, 'Team allows 7000 requests an hour now.')
    const [plan] = await fullStack.sql`select api_quota_per_hour from subscription_plans where name = 'team'`
    expect(plan?.api_quota_per_hour).toBe(7000)

    await page.goto(`${fullStack.url}/admin#/plans/team`)
    await page.getByRole('heading', { level: 1, name: 'Team' }).waitFor()
    await removeThis(page, 'plan', 'team')
    await page.goto(`${fullStack.url}/admin#/features/live_chat`)
    await page.getByRole('heading', { level: 1, name: 'live_chat' }).waitFor()
    await removeThis(page, 'feature', 'live_chat')
  })

  test('an account gets another plan, with its last day, by keyboard alone', async () => {
    const [user] = await fullStack.sql`select id from user_accounts where email = 'user@example.com'`
    const page = await openSection(`users/${user?.id}`, { as: 'admin' })
    await tabTo(page, 'plan')
    await page.keyboard.press('p')
    await tabTo(page, 'Change plan')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor()
    await tabTo(page, 'Change plan')
    await page.keyboard.press('Enter')
    await said(page, 'user@example.com has pro now.')
    await page.getByLabel('Plan').selectOption('starter')
    await page.getByLabel('Last day').fill('2099-12-31')
    await page.getByRole('button', { name: 'Change plan' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Change plan' }).click()
    await said(page, 'user@example.com has starter now.')
    const rows = await fullStack.sql`
      select plan.name, period_ends_at from user_subscriptions join subscription_plans plan on plan.id = plan_id
      where user_id = ${user?.id} order by user_subscriptions.id desc limit 2`
    expect(rows[0]).toEqual({ name: 'starter', period_ends_at: new Date('2099-12-31T23:59:59') })
    expect(rows[1]).toEqual({ name: 'pro', period_ends_at: null })
  })

  test('fit a phone, and have no fault that a checker of accessibility finds', async () => {
    const [user] = await fullStack.sql`select id from user_accounts where email = 'user@example.com'`
    const page = await openSection('roles', { options: phone })
    for (const section of [
      'roles',
      'roles/admin',
      'permissions',
      'permissions/users.read',
      'plans',
      'plans/pro',
      'features',
      'features/webhooks',
      'quotas',
      `users/${user?.id}`,
    ]) {
      await page.goto(`${fullStack.url}/admin#/${section}`)
      await page.waitForFunction((hash) => location.hash === hash, `#/${section}`)
      await page.locator('#view h1:focus').waitFor()
      const width = await page.evaluate(() => document.documentElement.scrollWidth)
      expect({ section, width }).toEqual({ section, width: 360 })
      expect({ section, faults: await violations(page) }).toEqual({ section, faults: [] })
    }
  })
})
