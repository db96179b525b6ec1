import { decodeJwt } from 'jose'
import type { ApiKeyItem } from '../../../shared/contract.ts'
import { bearer, type FullStack } from './full-stack.ts'

/** An account whose plan includes API keys, and its keys. */
export async function createKeyOwner(fullStack: FullStack, email: string, plan = 'starter') {
  const { tokens: first, password } = await fullStack.signUp(email)
  const id = String(decodeJwt(first.access_token).sub)

  /** Books a plan as a support tool would: in the database, without an epoch. */
  const book = (name: string) =>
    fullStack.sql`
      update user_subscriptions set plan_id = (select id from subscription_plans where name = ${name})
      where user_id = ${id} and ended_at is null`
  await book(plan)
  const { access_token: token } = await fullStack.login(email, password)

  const ask = (method: string, path: string, init: RequestInit = {}) =>
    fullStack.call(path, { method, ...init, headers: { ...bearer(token), ...init.headers } })

  return {
    id,
    email,
    token,
    password,
    book,
    ask,
    create: (body: object) => fullStack.post('/v1/api-keys', body, { headers: bearer(token) }),

    /** A key that may read the profile, unless the body says otherwise. */
    async createKey(body: object = {}): Promise<ApiKeyItem & { key: string }> {
      const response = await fullStack.post(
        '/v1/api-keys',
        { name: 'ci', permissions: ['profile.read'], ...body },
        { headers: bearer(token) },
      )
      if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`)
      return (await response.json()) as ApiKeyItem & { key: string }
    },
  }
}

export type KeyOwner = Awaited<ReturnType<typeof createKeyOwner>>
