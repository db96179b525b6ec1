import { describe, expect, test } from 'vitest'
import { canonicalEmail, emailPattern, knownEmail } from './email.ts'

const atext = "!#$%&'*+-/=?^_`{|}~"

describe('canonicalEmail', () => {
  test.each([
    ['ada@example.com', 'ada@example.com'],
    ['Ada@EXAMPLE.com', 'Ada@example.com'],
    [`a${atext}z@example.com`, `a${atext}z@example.com`],
    ['ada@localhost', 'ada@localhost'],
    ['ada@münchen.de', 'ada@xn--mnchen-3ya.de'],
    ['ada@MÜNCHEN.DE', 'ada@xn--mnchen-3ya.de'],
    ['ada@mu\u0308nchen.de', 'ada@xn--mnchen-3ya.de'],
    ['ada@XN--MNCHEN-3YA.de', 'ada@xn--mnchen-3ya.de'],
    ['ada@straße.de', 'ada@xn--strae-oqa.de'],
    ['ada@例子。广告', 'ada@xn--fsqu00a.xn--4rr70v'],
    ['ada@пример.испытание', 'ada@xn--e1afmkfd.xn--80akhbyknj4f'],
    ['ada@ｅｘａｍｐｌｅ.com', 'ada@example.com'],
    ['ada@１２７.example.com', 'ada@127.example.com'],
  ])('%s is %s', (typed, stored) => {
    expect(canonicalEmail(typed)).toBe(stored)
    expect(canonicalEmail(stored)).toBe(stored)
    expect(typed).toMatch(new RegExp(emailPattern, 'u'))
  })

  test.each([
    '',
    'ada',
    'ada@',
    '@example.com',
    'ada@@example.com',
    'ada@example..com',
    'ada@example.com.',
    'ada@-example.com',
    'ada@example-.com',
    `ada@${'a'.repeat(64)}.com`,
    `${'a'.repeat(243)}@example.com`,
    `ada@${'ü'.repeat(60)}.${'ü'.repeat(60)}.de`,
    'ada@exa mple.com',
    'ada@exa_mple.com',
    'ada@[127.0.0.1]',
    'ada@münchen.de:25',
    'ada@münchen.de/x',
    'ada@münchen.de?x',
    'ada@münchen.de#x',
    'ada@münchen%2ede',
    'ada@mün\u0000chen.de',
    'ada@münchen\u2028.de',
    'ada@ü\uff0f.de',
    'ada@\u00ad',
    'ädä@example.com',
    '"a b"@example.com',
    'a,b@example.com',
    'a:b@example.com',
    'a;b@example.com',
    'a<b@example.com',
    'a(b)@example.com',
    'a\\b@example.com',
    'Ada <ada@example.com>',
    'ada@example.com,eve@example.com',
    'ada@example.com\r\nBcc: eve@example.com',
    'ada@example.com\n',
    ' ada@example.com',
    'ada\u0000@example.com',
  ])('%j is none', (typed) => {
    expect(canonicalEmail(typed)).toBeUndefined()
  })
})

test('knownEmail finds what could be registered in former times', () => {
  expect(knownEmail('Ada@former-.example.com')).toBe('Ada@former-.example.com')
  expect(knownEmail(`ada@${'a'.repeat(64)}.com`)).toBe(`ada@${'a'.repeat(64)}.com`)
  expect(knownEmail('ada@münchen.de')).toBe('ada@xn--mnchen-3ya.de')
  expect(knownEmail('ada@exa_mple.com')).toBeUndefined()
})
