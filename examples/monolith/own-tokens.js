import jwt from 'jsonwebtoken'

/** The shop's own tokens: HS256, with the number of the user as subject, for 30 days. */

const { MONOLITH_JWT_SECRET: secret } = process.env
const issuer = 'https://shop.example.com'

export const signOwnToken = (userId) =>
  jwt.sign({}, secret, { algorithm: 'HS256', subject: String(userId), issuer, expiresIn: '30d' })

/** @returns the user's number, or undefined where the token is not one of the shop */
export function readOwnToken(token) {
  try {
    return Number(jwt.verify(token, secret, { algorithms: ['HS256'], issuer }).sub)
  } catch {
    return undefined
  }
}
