import { describe, expect, test } from 'vitest'
import { createReplyReader, encodeCommands, type Reply, ReplyError } from './resp.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (content: Uint8Array) => new TextDecoder().decode(content)

describe('commands', () => {
  test('are arrays of strings, measured in bytes, one after the other', () => {
    expect(text(encodeCommands([['SET', 'ключ', 7], ['PING']]))).toBe(
      '*3\r\n$3\r\nSET\r\n$8\r\nключ\r\n$1\r\n7\r\n*1\r\n$4\r\nPING\r\n',
    )
  })

  // A subject or a password with a line break in it must not become a command of its own.
  test('a line break in an argument is a part of it', () => {
    expect(text(encodeCommands([['GET', 'a\r\nFLUSHALL']]))).toBe(
      '*2\r\n$3\r\nGET\r\n$11\r\na\r\nFLUSHALL\r\n',
    )
  })
})

describe('replies', () => {
  const stream =
    '+OK\r\n:42\r\n:-1\r\n$7\r\na\r\nbcde\r\n' +
    '$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n*3\r\n:1\r\n*2\r\n$2\r\n\u00e9\r\n$-1\r\n+x\r\n'
  const expected: Reply[] = ['OK', 42, -1, 'a\r\nbcde', '', null, null, [], [1, ['é', null], 'x']]

  test('of every type that the commands in use return', () => {
    expect(createReplyReader().push(bytes(stream))).toEqual(expected)
  })

  test('are the same wherever the stream is cut', () => {
    const whole = bytes(stream)
    for (let size = 1; size <= whole.byteLength; size++) {
      const reader = createReplyReader()
      const replies: Reply[] = []
      for (let at = 0; at < whole.byteLength; at += size)
        replies.push(...reader.push(whole.subarray(at, at + size)))
      expect(replies, `in pieces of ${size}`).toEqual(expected)
    }
  })

  test('an error is a value among the others', () => {
    const [refused, next] = createReplyReader().push(bytes('-NOAUTH Authentication required.\r\n+OK\r\n'))
    expect(refused).toBeInstanceOf(ReplyError)
    expect((refused as ReplyError).message).toBe('NOAUTH Authentication required.')
    expect(next).toBe('OK')
  })

  test.each([
    ['HTTP/1.1 400 Bad Request\r\n', 'not a reply of Redis'],
    [':one\r\n', 'a reply has no number where one belongs'],
    ['$1e9\r\n', 'a reply has no number where one belongs'],
    ['+a\rb\r\n', 'a line of a reply does not end as one'],
    [`${'*1\r\n'.repeat(20)}`, 'a reply is nested too deep'],
    [`$2000000\r\n${'x'.repeat(1_100_000)}`, 'a reply is too long'],
  ])('a malformed reply is an error: %#', (content, reason) => {
    expect(() => createReplyReader().push(bytes(content))).toThrow(reason)
  })
})
