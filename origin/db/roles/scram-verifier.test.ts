import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { scramVerifier } from './scram-verifier.ts'

test('the verifier of a password gives the server signature of the example in RFC 7677', () => {
  const verifier = scramVerifier('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'))
  const [, serverKey = ''] =
    /^SCRAM-SHA-256\$4096:W22ZaJ0SNY7soEsUEjb6gQ==\$[^:]{44}:(.{44})$/.exec(verifier) ?? []
  const clientFirst = 'n=user,r=rOprNGfwEbeRWgbNEkqO'
  const serverFirst = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'
  const clientFinal = 'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
  const signature = createHmac('sha256', Buffer.from(serverKey, 'base64'))
    .update(`${clientFirst},${serverFirst},${clientFinal}`)
    .digest('base64')
  expect(signature).toBe('6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
})

test('two verifiers of one password have different salts', () => {
  expect(scramVerifier('pencil')).not.toBe(scramVerifier('pencil'))
})
