import { Problem } from '../../shared/http/errors.ts'

const invalid = (pointer: string, detail: string) =>
  new Problem('validation_failed', { members: { errors: [{ pointer, detail }] } })

export const unknownPlan = () => invalid('/plan', 'is not the name of a plan')

export const periodIsOver = () => invalid('/period_ends_at', 'must be in the future')

export const isAhead = () =>
  invalid('/occurred_at', 'must be at most 5 minutes ahead of the time at the origin')
