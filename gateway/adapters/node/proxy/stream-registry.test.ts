import { expect, test } from 'vitest'
import { identitySchema } from '../../../../shared/auth/claims.ts'
import { createIssuer } from '../../../../test/support/gateway/issuer.ts'
import { createStreamRegistry } from './stream-registry.ts'

const issuer = await createIssuer()
const caller = () => ({
  identity: identitySchema.parse(issuer.claims()),
  expiresAt: Date.now() / 1000 + 900,
})

// Each stream holds a place of its upstream for as long as its token holds.
test("a stream beyond the bound ends the user's oldest, and no other user's", () => {
  const streams = createStreamRegistry({ findEnd: () => undefined, maxPerUser: 2 })
  const ended: string[] = []
  const ada = caller()
  const grace = caller()
  function open(name: string, who: ReturnType<typeof caller> | null) {
    const forget = streams.add(who, (reason) => {
      ended.push(`${name}: ${reason}`)
      forget()
    })
  }
  open('nobody', null)
  open('grace', grace)
  for (const name of ['ada 1', 'ada 2']) open(name, ada)
  expect(ended).toEqual([])
  for (const name of ['ada 3', 'ada 4']) open(name, ada)
  expect(ended).toEqual(['ada 1: too_many_streams', 'ada 2: too_many_streams'])
  streams.endAll()
  expect(ended.slice(2)).toEqual(['nobody', 'grace', 'ada 3', 'ada 4'].map((name) => `${name}: restart`))
})
