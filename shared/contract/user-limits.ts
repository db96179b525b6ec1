import * as z from 'zod'

/** One window of one limit of a user, as it is now. */
export const userLimitSchema = z.object({
  /** Name of the window, as in RateLimit headers. */
  name: z.string(),
  quota: z.int(),
  used: z.int(),
  window_seconds: z.int(),
  /** Seconds until the window ends, or until a sliding one has tokens again. */
  reset_seconds: z.int(),
})

export type UserLimit = z.output<typeof userLimitSchema>

const schema = z.array(userLimitSchema)

/** Header value: the limits of a user, for a row that passes them. */
export const formatUserLimits = (limits: readonly UserLimit[]): string => JSON.stringify(limits)

/** @returns none for what `formatUserLimits` does not write */
export function parseUserLimits(value: string | undefined): UserLimit[] {
  if (value === undefined) return []
  try {
    return schema.parse(JSON.parse(value))
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return []
    throw error
  }
}
