import { Problem } from '../../shared/http/errors.ts'

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** @throws Problem `not_found`: what cannot be an id is the id of nothing */
export function requireUuid(text: string): string {
  if (!uuid.test(text)) throw new Problem('not_found')
  return text
}
