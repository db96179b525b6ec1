import { expect, test } from 'vitest'
import { type LimitClass, limitClassDefinitions } from '../../gateway/limits/limit-classes.ts'
import { routes } from '../../gateway/routes.ts'
import { limitsByPath, userPaths } from '../../origin/delegated-sign-in.ts'

// A path that only one of the two knows would have no limit for those whom a service signs in.
test('the origin limits what a service forwards as the gateway limits what comes through it', () => {
  const ofGateway = routes
    .filter(({ who, path }) => who === 'public' && path.startsWith('/auth/'))
    .map(({ path, limits: [name], over_limit: overLimit = 'refuse' }) => ({
      path,
      limit: name as string,
      counts: limitClassDefinitions[name as LimitClass].counts,
      admitsOverLimit: overLimit !== 'refuse',
    }))
  const ofOrigin = [...limitsByPath].map(([path, counted]) => ({ path, ...counted }))
  const byPath = (one: { path: string }, other: { path: string }) => (one.path < other.path ? -1 : 1)
  expect(ofOrigin.toSorted(byPath)).toEqual(ofGateway.toSorted(byPath))
})

test('the origin knows which routes under /auth are for users, as the gateway does', () => {
  const ofGateway = routes.filter(({ who, path }) => who === 'user' && path.startsWith('/auth/'))
  expect(userPaths.toSorted()).toEqual([...new Set(ofGateway.map(({ path }) => path))].toSorted())
})
