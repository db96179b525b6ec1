import { SharedArray } from 'k6/data'
import exec from 'k6/execution'

/** One of the accounts that the environment has seeded and signed in. */
export interface User {
  /** From 0. */
  number: number
  id: string
  email: string
  plan: string
  /** Seconds since 1970. */
  expiresAt: number
  refreshToken: string
  accessToken: string
}

/** One copy for all VUs, each line parsed where it is used: 100,000 tokens are 100 MB. */
const lines = new SharedArray('users', () =>
  open(__ENV.USERS_FILE ?? '')
    .trim()
    .split('\n'),
)

/** The last one is the spare. */
export const userCount = lines.length - 1

/** Whom no frontend of the traffic is: a scenario may use their tokens up. */
export const spareUser = userCount

export function userAt(number: number): User {
  const [id = '', email = '', plan = '', expiresAt = '0', refreshToken = '', accessToken = ''] = (
    lines[number] ?? ''
  ).split(' ')
  return { number, id, email, plan, expiresAt: Number(expiresAt), refreshToken, accessToken }
}

/** Numbers of the users on one plan. */
export function usersOn(plan: string): number[] {
  return lines.flatMap((line, number) => (line.split(' ', 3)[2] === plan ? [number] : []))
}

/**
 * Numbers of users that no other VU gets, so that each user's tokens have one owner. They come in
 * turn, so that as many users as there are requests for have been here.
 *
 * @param vus the most there may be
 */
export function ownUsers(vus: number, first = 0, count = userCount - first) {
  let turn = 0
  return function next(): number {
    const vu = (exec.vu.idInTest - 1) % vus
    const mine = Math.max(1, Math.floor((count - vu - 1) / vus) + 1)
    return first + ((vu + (turn++ % mine) * vus) % count)
  }
}
