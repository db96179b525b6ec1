import type { Endpoint } from '../endpoint/endpoint.ts'
import type { ErrorCode } from '../http/errors.ts'

const ofBodies: readonly ErrorCode[] = ['body_too_large', 'body_timeout']

const ofJson: readonly ErrorCode[] = ['malformed_json', 'unsupported_media_type', 'validation_failed']

/** The codes that follow from what goes in, and those that the contract names. */
export function codesOfEndpoint({ body, form, query, errors = [] }: Endpoint): ErrorCode[] {
  return [
    ...(body ? [...ofJson, ...ofBodies] : []),
    ...(form ? ofBodies : []),
    ...(query ? (['query_invalid'] as const) : []),
    ...errors,
  ]
}
