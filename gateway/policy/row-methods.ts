import * as z from 'zod'

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

export type RowMethod = (typeof methods)[number]

const error = `must be one of ${methods.join(', ')}, a list of different ones, or '*' for all`

/** The method of a row, several of them, or all. */
export const methodOfRow = z.union(
  [
    z.enum(methods),
    z
      .array(z.enum(methods, { error }))
      .min(1, { error })
      .refine((list) => new Set(list).size === list.length, { error }),
    z.literal('*'),
  ],
  { error },
)

export const methodsOf = (method: z.output<typeof methodOfRow>): readonly RowMethod[] =>
  method === '*' ? methods : [method].flat()
