import { Problem } from '../../shared/http/errors.ts'
import type { EditConflict } from './edit.ts'

/** Problem `not_found`, `name_taken`, `in_use` or `tokens_too_large`. */
export function conflictProblem(conflict: EditConflict): Problem {
  switch (conflict.kind) {
    case 'unknown_item':
      return new Problem('not_found')
    case 'name_taken':
      return new Problem('name_taken')
    case 'in_use': {
      const { by, count } = conflict
      return new Problem('in_use', { members: { used_by: by, ...(count !== undefined && { count }) } })
    }
    case 'tokens_too_large': {
      const { characters, limit, role, plan } = conflict.size
      return new Problem('tokens_too_large', { members: { size: characters, limit, role, plan } })
    }
  }
}

/** Problem `validation_failed` for the items of a list that name no permission or feature. */
export function unknownNamesProblem(
  field: 'permissions' | 'features',
  positions: readonly number[],
): Problem {
  const kind = field === 'permissions' ? 'permission' : 'feature'
  const errors = positions.map((position) => ({
    pointer: `/${field}/${position}`,
    detail: `is not the name of a ${kind}`,
  }))
  return new Problem('validation_failed', { members: { errors } })
}
