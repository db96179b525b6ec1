const scheme = 'bearer '

/**
 * Longest Authorization header. A cached token keeps the whole string that it was sliced from in
 * memory.
 */
const maxSpaces = 8

/**
 * The token of an Authorization field (RFC 6750, section 2.1), or undefined where the field is not
 * one Bearer credential. Read without a pattern: tokens are long, and each request brings one.
 */
export function bearerToken(authorization: string): string | undefined {
  if (authorization.slice(0, scheme.length).toLowerCase() !== scheme) return undefined
  let start = scheme.length
  while (authorization[start] === ' ' && start < scheme.length + maxSpaces) start++
  const token = authorization.slice(start)
  return token === '' || token.includes(' ') || token.includes(',') ? undefined : token
}
