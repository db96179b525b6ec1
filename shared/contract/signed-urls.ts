import * as z from 'zod'
import { defineEndpointGroup, ok } from '../endpoint/endpoint.ts'

/** Query parameter that holds the token of a signed URL, behind all others. */
export const urlTokenParameter = 'gatehouse_url_token'

/** Seconds in which a signed URL can be opened. */
const life = { default: 60, max: 300 }

const createSignedUrlBody = z.strictObject({
  path: z
    .string()
    .max(2000)
    .regex(/^\/(?!\/)[!-"$-~]*$/)
    .refine((path) => !path.includes(`${urlTokenParameter}=`), { error: 'must not be signed already' })
    .meta({
      description: 'Path and query, exactly as they will be requested.',
      examples: ['/v1/files/a.pdf'],
    }),
  expires_in: z.int().min(1).max(life.max).default(life.default),
})

const signedUrlResponse = z.object({ url: z.url(), expires_in: z.int() }).meta({ id: 'SignedUrl' })

export const signedUrls = defineEndpointGroup({
  name: 'Signed URLs',
  description: 'URLs for what cannot send a header: `EventSource`, `<img>`, downloads.',
  endpoints: {
    createSignedUrl: {
      method: 'POST',
      path: '/v1/signed-urls',
      summary: 'Sign a URL of the caller',
      description:
        'The URL opens one `GET` of this path and query for the caller, and nothing else, until it expires or the session ends. The row of the path has to allow it.',
      body: createSignedUrlBody,
      responses: ok('The URL, whole.', signedUrlResponse),
      errors: ['session_ended'],
    },
  },
})
