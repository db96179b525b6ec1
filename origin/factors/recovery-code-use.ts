import { insertAuditRow } from '../audit/queries.ts'
import type { Transaction } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Mail } from '../mail/service.ts'
import { selectFactors } from './queries.ts'

/** Records that a recovery code was used, and notifies the owner. */
export async function recordRecoveryCodeUse(
  transaction: Transaction,
  mail: Pick<Mail, 'enqueue' | 'messages'>,
  { userId, email, context }: { userId: string; email: string; context: RequestContext },
): Promise<void> {
  const { recoveryCodesLeft: left } = await selectFactors(transaction, userId)
  await insertAuditRow(transaction, {
    action: 'factor.recovery_code_used',
    actorId: userId,
    userId,
    context,
    details: { left },
  })
  await mail.enqueue(transaction, email, mail.messages.recoveryCodeUsed({ left }))
}
