import * as z from 'zod'
import { defineEndpointGroup, ok } from '../endpoint/endpoint.ts'
import { filteredList } from './lists.ts'
import { userLimitSchema } from './user-limits.ts'

/** The longest period that one response has. */
const maxUsageDays = 400

const limitName = z.string().regex(/^[a-z][a-z_]{0,39}$/)

/** Tokens of each limit that the requests of one day, in UTC, consumed. */
const usageDay = z.object({
  day: z.iso.date(),
  used: z.record(z.string(), z.int()),
})

export type UsageDay = z.output<typeof usageDay>

const usageResponse = z
  .object({ limits: z.array(userLimitSchema), days: z.array(usageDay) })
  .meta({ id: 'Usage' })

export type UsageResponse = z.output<typeof usageResponse>

const usageDayItem = z
  .object({ day: z.iso.date(), user_id: z.uuid(), limit_name: z.string(), used: z.int() })
  .meta({ id: 'UsageDay' })

export type UsageDayItem = z.output<typeof usageDayItem>

const usageFilters = {
  user_id: z.guid().optional(),
  limit_name: limitName.optional(),
  from: z.iso.date().optional(),
  to: z.iso.date().optional(),
}

export const usage = defineEndpointGroup({
  name: 'Usage',
  description: 'Limits and what was used of them. Days are in UTC, and some seconds old.',
  endpoints: {
    readUsage: {
      method: 'GET',
      path: '/v1/usage',
      summary: 'Read the limits of the caller and what was used by day',
      description:
        'Current windows of each limit by user, and the tokens of the latest days, the newest first.',
      query: {
        days: z.coerce
          .number()
          .int()
          .min(1)
          .max(maxUsageDays)
          .default(31)
          .meta({ description: 'How many days, today among them.' }),
      },
      responses: ok('Limits and days.', usageResponse),
    },
    listUsageDays: {
      method: 'GET',
      path: '/admin/usage-days',
      summary: 'List usage by day, user and limit, the newest day first',
      ...filteredList(usageDayItem, usageFilters),
    },
  },
})
