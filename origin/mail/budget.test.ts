import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { connectRedis } from '../../shared/node/redis.ts'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { startPrivateRedis } from '../../tools/servers/redis/redis.ts'
import type { LimitStore } from '../limits/limit-store.ts'
import type { LimitRejection } from '../limits/rejection-log.ts'
import { createWindowCounter } from '../limits/window-counter.ts'
import { createMailBudget, mailboxOf } from './budget.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

function createBudget(quotas: { sender?: number; recipient?: number; domain?: number }, store?: LimitStore) {
  const rejections: LimitRejection[] = []
  const limit = (part: 'sender' | 'recipient' | 'domain') =>
    createWindowCounter({
      name: `mail_${part}`,
      quota: quotas[part] ?? 1000,
      windowSeconds: 3600,
      store,
      keyPrefix: 'test:',
    })
  const limits = { sender: limit('sender'), recipient: limit('recipient'), domain: limit('domain') }
  const budget = createMailBudget({ limits, recordRejection: (rejection) => rejections.push(rejection) })
  const spend = (
    recipient: string,
    requestedBy: string | null = null,
    kind: string | null = 'reset_password',
  ) => budget.spend({ recipient, requestedBy, kind })
  return { spend, rejections }
}

test('spellings of one mailbox share its budget', async () => {
  expect(mailboxOf('Ada+Shop@Example.com')).toBe('ada@example.com')
  expect(mailboxOf('+1@example.com')).toBe('+1@example.com')
  const { spend, rejections } = createBudget({ recipient: 2 })
  expect(await spend('ada@example.com')).toBeUndefined()
  expect(await spend('ADA+1@example.com')).toBeUndefined()
  expect(await spend('ada+2@Example.com')).toBe('mail_recipient')
  expect(await spend('bob@example.com')).toBeUndefined()
  expect(rejections).toEqual([
    { limit: 'mail_recipient', key: 'ada@example.com', method: 'MAIL', route: 'reset_password' },
  ])
})

test('addresses of one IPv6 /64 share the budget of a sender, and a request without an address has none', async () => {
  const { spend, rejections } = createBudget({ sender: 2 })
  expect(await spend('a@example.com', '2001:db8::1')).toBeUndefined()
  expect(await spend('b@example.com', '2001:db8::2')).toBeUndefined()
  expect(await spend('c@example.com', '2001:db8::3')).toBe('mail_sender')
  expect(await spend('c@example.com', '2001:db8:0:1::3')).toBeUndefined()
  for (let times = 0; times < 3; times++) expect(await spend('d@example.com')).toBeUndefined()
  expect(rejections).toMatchObject([{ limit: 'mail_sender', key: '2001:db8:0:0::/64' }])
})

test('a sender over its budget takes nothing from the budgets of a mailbox and of a domain', async () => {
  const { spend } = createBudget({ sender: 1, recipient: 2, domain: 2 })
  expect(await spend('ada@example.com', '198.51.100.1')).toBeUndefined()
  for (let times = 0; times < 5; times++)
    expect(await spend('ada@example.com', '198.51.100.1')).toBe('mail_sender')
  expect(await spend('ada@example.com', '198.51.100.2')).toBeUndefined()
})

test('a domain has a budget for all its mailboxes', async () => {
  const { spend } = createBudget({ domain: 2 })
  expect(await spend('ada@example.com')).toBeUndefined()
  expect(await spend('bob@Example.COM')).toBeUndefined()
  expect(await spend('eve@example.com')).toBe('mail_domain')
  expect(await spend('eve@example.org')).toBeUndefined()
})

// An attacker who could withhold a notice by using the budget up would hide an attack.
test('a notice has no budget', async () => {
  const { spend } = createBudget({ sender: 1, recipient: 1, domain: 1 })
  await spend('ada@example.com', '198.51.100.1')
  for (let times = 0; times < 3; times++)
    expect(await spend('ada@example.com', '198.51.100.1', null)).toBeUndefined()
})

test('half of a budget where Redis is stopped, never none', async () => {
  const server = await startPrivateRedis()
  closers.push(server.stop)
  const redis = connectRedis(server.url, createCapturedLog('origin').log, { commandTimeoutMs: 50 })
  closers.push(() => redis.disconnect())
  await once(redis, 'ready')
  const { spend } = createBudget({ recipient: 4 }, { kind: 'redis', redis })
  const sent = async (recipient: string) => {
    const refused: (string | undefined)[] = []
    for (let times = 0; times < 8; times++) refused.push(await spend(recipient))
    return refused.filter((limit) => limit === undefined).length
  }
  expect(await sent('ada@example.com')).toBe(4)
  await server.kill()
  expect(await sent('bob@example.com')).toBe(2)
})
