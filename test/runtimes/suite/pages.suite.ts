import { expect, test } from 'vitest'
import { json, outcome, send } from './client.ts'

test('the API description has the rows of the code and those of the policy file; the page shows it', async () => {
  const answer = await send('/openapi.json')
  expect(outcome(answer)).toBe('200')
  expect(Object.keys(json(answer).paths as object)).toEqual(expect.arrayContaining(['/v1/me', '/try/echo']))
  expect((await send('/docs')).headers['content-type']).toBe('text/html; charset=utf-8')
})
