import { insertAuditRow } from '../audit/queries.ts'
import type { Catalogue } from '../catalogue/catalogue.ts'
import type { CatalogueEdit } from '../catalogue/edit.ts'
import { lockCatalogue } from '../catalogue/queries.ts'
import { applyEdit } from '../catalogue/replace.ts'
import type { Sql } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { EvaluateRoleEdit, RoleEdit } from './role-edits.ts'
import { selectRoleOf } from './role-queries.ts'

export type RoleOutcome = { kind: 'done'; catalogue: Catalogue } | Exclude<RoleEdit, CatalogueEdit>

/** The actor of a change, and the words of the audit row if it is rejected. */
export interface RoleAction {
  attempted: string
  actorId: string
  context: RequestContext
}

export type RoleService = ReturnType<typeof createRoleService>

/** Changes of roles and permissions. One epoch makes the tokens of all accounts of a role stale. */
export function createRoleService({ sql }: { sql: Sql }) {
  return {
    /**
     * Makes one change. The actor's level and permissions are those of the database, not those of
     * the token.
     */
    async edit(
      { attempted, actorId, context }: RoleAction,
      evaluate: EvaluateRoleEdit,
    ): Promise<RoleOutcome> {
      return sql.begin(async (transaction): Promise<RoleOutcome> => {
        const before = await lockCatalogue(transaction)
        const actor = (await selectRoleOf(transaction, actorId)) ?? { level: -1, permissions: [] }
        const edit = evaluate(before, actor)
        if (edit.kind === 'edit') return applyEdit(transaction, before, edit, { actorId, context })
        if (edit.kind === 'rejected')
          await insertAuditRow(transaction, {
            action: 'role.change_refused',
            actorId,
            userId: null,
            context,
            details: { attempted, reason: edit.reason },
          })
        return edit
      })
    },
  }
}
