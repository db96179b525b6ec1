import { z } from 'zod'

/** Of the demo upstream. */
export const reportsAnswer = z
  .object({
    prepared_for: z.string(),
    plan: z.string(),
    reports: z.array(z.object({ name: z.string(), unit: z.string() })),
  })
  .meta({ id: 'Reports' })

export type ReportsAnswer = z.output<typeof reportsAnswer>
