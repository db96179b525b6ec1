import { jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'

/** HS256 for a token that only its maker reads; the key serves nothing else (RFC 8725, section 3.1). */
const algorithm = 'HS256'
const type = 'gatehouse-device+jwt'

/** Long enough that somebody who signs in now and then stays known. */
export const deviceLifeSeconds = 180 * 86_400

const payloadSchema = z.object({ sub: z.uuid(), jti: z.uuid(), password_version: z.string() })

/** A device that its owner signed in on before: its tries at the password are counted apart from everybody else's. */
export interface Device {
  id: string
  userId: string
  /** The password it signed in with; another one makes it a stranger again. */
  passwordVersion: string
}

/** @param key 32 bytes */
export function createDeviceTokens(key: Uint8Array) {
  return {
    sign: ({ id, userId, passwordVersion }: Device): Promise<string> =>
      new SignJWT({ password_version: passwordVersion })
        .setProtectedHeader({ alg: algorithm, typ: type })
        .setSubject(userId)
        .setJti(id)
        .setIssuedAt()
        .setExpirationTime(`${deviceLifeSeconds}s`)
        .sign(key),

    /** @returns undefined for what we did not sign, or long ago: then it is a stranger's */
    async read(token: string | undefined): Promise<Device | undefined> {
      if (token === undefined) return undefined
      const verified = await jwtVerify(token, key, { algorithms: [algorithm], typ: type }).catch(
        () => undefined,
      )
      const payload = payloadSchema.safeParse(verified?.payload)
      if (!payload.success) return undefined
      const { jti, sub, password_version: passwordVersion } = payload.data
      return { id: jti, userId: sub, passwordVersion }
    },
  }
}

export type DeviceTokens = ReturnType<typeof createDeviceTokens>
