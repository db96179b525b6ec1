import {
  authorizationServerResponse,
  introspectionResponse,
  jwksResponse,
  oauthTokenResponse,
  tokenForm,
  tokenInForm,
} from '../../../shared/contract.ts'
import type { Subject } from './contract.ts'
import { ok } from './responses.ts'

export const oauth: Subject = {
  name: 'OAuth',
  description:
    'For OAuth clients, in the forms of RFC 6749, 7662, 7009 and 8414. Refusals come in the form of RFC 6749, section 5.2.',
  operations: {
    'POST /oauth/token': {
      id: 'issueToken',
      summary: 'A token for a service, or new tokens for a refresh token',
      form: tokenForm,
      responses: ok('The token.', oauthTokenResponse),
      credential: 'client',
    },
    'POST /oauth/introspect': {
      id: 'introspectToken',
      summary: 'Is this token live?',
      form: tokenInForm,
      responses: ok('What is to be told of it.', introspectionResponse),
      credential: 'client',
    },
    'POST /oauth/revoke': {
      id: 'revokeToken',
      summary: 'End the session of a token',
      form: tokenInForm,
      responses: { 200: { description: 'The token is not live, whether or not it was.' } },
      credential: 'client',
    },
    'GET /.well-known/jwks.json': {
      id: 'readKeys',
      summary: 'The public keys that check our tokens',
      responses: ok('The keys (RFC 7517).', jwksResponse),
    },
    'GET /.well-known/oauth-authorization-server': {
      id: 'readMetadata',
      summary: 'What OAuth clients need to know of us',
      responses: ok('The metadata.', authorizationServerResponse),
    },
  },
}
