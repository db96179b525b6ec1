/** RFC 6750, section 2.1; the scheme's name is case-insensitive. */
const bearer = /^bearer +([^ ,]+)$/i

/** The token of an Authorization field, or undefined where the field is not one Bearer credential. */
export const bearerToken = (authorization: string): string | undefined => bearer.exec(authorization)?.[1]
