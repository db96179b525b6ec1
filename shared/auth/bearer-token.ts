const scheme = 'bearer '

/** No RFC bounds them, but a token that is kept keeps the whole field that it was cut from. */
const mostSpaces = 8

/**
 * The token of an Authorization field (RFC 6750, section 2.1), or undefined where the field is not
 * one Bearer credential. Read without a pattern: tokens are long, and each request brings one.
 */
export function bearerToken(authorization: string): string | undefined {
  if (authorization.slice(0, scheme.length).toLowerCase() !== scheme) return undefined
  let start = scheme.length
  while (authorization[start] === ' ' && start < scheme.length + mostSpaces) start++
  const token = authorization.slice(start)
  return token === '' || token.includes(' ') || token.includes(',') ? undefined : token
}
