import type { Now } from '../../shared/lib/time.ts'
import type { Queryable, Transaction } from '../db/types.ts'
import type { Encryption } from '../keys/encryption.ts'
import {
  type FactorKind,
  selectIsRecoveryCode,
  selectTotp,
  spendRecoveryCode,
  spendTotpStep,
} from './queries.ts'
import type { HashRecoveryCode } from './recovery-codes.ts'
import { acceptedStep } from './totp.ts'
import { decryptTotp } from './totp-encryption.ts'

/** A code that a user presents. */
export interface PresentedCode {
  factor: FactorKind
  code: string
}

interface CodeVerifierOptions {
  encryption: Encryption
  hashRecoveryCode: HashRecoveryCode
  now: Now
}

export function createCodeVerifier({ encryption, hashRecoveryCode, now }: CodeVerifierOptions) {
  /** The time step of a code of the authenticator app; undefined where it is wrong or was used. */
  async function stepOf(sql: Queryable, userId: string, code: string) {
    const stored = await selectTotp(sql, userId)
    if (!stored) return undefined
    const { encryptedSecret, lastStep } = stored
    const secret = decryptTotp(encryption, 'totp_secrets', userId, encryptedSecret)
    const step = acceptedStep(secret, code, { now: now(), lastStep })
    return step === undefined ? undefined : { encryptedSecret, step }
  }

  return {
    /** Whether a code is right, without spending it. */
    async isRight(sql: Queryable, userId: string, { factor, code }: PresentedCode): Promise<boolean> {
      return factor === 'totp'
        ? (await stepOf(sql, userId, code)) !== undefined
        : selectIsRecoveryCode(sql, userId, hashRecoveryCode(userId, code))
    },

    /**
     * Spends a code, together with what it is spent for.
     *
     * @returns false where it is wrong, or a concurrent request has spent it
     */
    async spend(transaction: Transaction, userId: string, { factor, code }: PresentedCode): Promise<boolean> {
      if (factor === 'recovery_code')
        return spendRecoveryCode(transaction, userId, hashRecoveryCode(userId, code))
      const accepted = await stepOf(transaction, userId, code)
      return accepted !== undefined && spendTotpStep(transaction, userId, accepted)
    },
  }
}

export type CodeVerifier = ReturnType<typeof createCodeVerifier>
