import { expect, test } from 'vitest'
import { nearestName } from './nearest-name.ts'

const names = ['dashboard.read', 'profile.read', 'profile.write', 'users.read']

test.each([
  ['dashboard.raed', 'dashboard.read'],
  ['dashbord.read', 'dashboard.read'],
  ['profile.writes', 'profile.write'],
  ['user.read', 'users.read'],
])('%s most likely means %s', (text, name) => {
  expect(nearestName(text, names)).toBe(name)
})

test('nothing is near where there is no name', () => {
  expect(nearestName('users.read', [])).toBeUndefined()
})
