import { expect } from 'vitest'
import type { TokenResponse } from '../../../shared/contract.ts'
import { bearer, problem } from './full-stack.ts'

/**
 * A frontend of the shop in examples/monolith, as docs/frontends.md has it: it exchanges its old
 * token at the first 401 `legacy_token`, keeps it for a way back, and never logs in.
 */
export function createShopClient(oldToken: string) {
  let tokens: TokenResponse | undefined
  let exchanges = 0

  const read = (base: string) =>
    fetch(`${base}/api/orders`, { headers: bearer(tokens?.access_token ?? oldToken) })

  async function exchange(base: string): Promise<void> {
    const response = await fetch(`${base}/auth/exchange`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ legacy_token: oldToken }),
    })
    expect(response.status).toBe(200)
    tokens = (await response.json()) as TokenResponse
    exchanges++
  }

  return {
    async orders(base: string): Promise<string[]> {
      let response = await read(base)
      if (response.status === 401 && (await problem(response.clone())).code === 'legacy_token') {
        await exchange(base)
        response = await read(base)
      }
      expect(response.status).toBe(200)
      return ((await response.json()) as { orders: string[] }).orders
    },
    exchanges: () => exchanges,
    /** The frontend of before: it knows the old token alone. */
    goBack() {
      tokens = undefined
    },
  }
}
