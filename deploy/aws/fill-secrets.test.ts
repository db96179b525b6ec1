import { expect, test } from 'vitest'
import { readConfig } from '../../shared/config.ts'
import { AlreadyFilledError, fillSecrets } from './fill-secrets.ts'
import { filledSecrets } from './stacks/secrets-stack.ts'

const mail = { username: 'AKIA', password: 'hunter22' }

/** Secrets Manager as the AWS CLI shows it: a name has one value. */
function createSecretsManager(values: Record<string, object>) {
  return async ([command = '', ...options]: string[]): Promise<string> => {
    const read = (option: string) =>
      options.find((each) => each.startsWith(`--${option}=`))?.slice(option.length + 3) ?? ''
    const id = read('secret-id')
    if (command === 'get-secret-value') return JSON.stringify(JSON.stringify(values[id]))
    values[id] = JSON.parse(read('secret-string'))
    return ''
  }
}

const unfilled = () =>
  Object.fromEntries(Object.keys(filledSecrets).map((each) => [`gatehouse/${each}`, { unfilled: 'x' }]))

test('the secrets of a new installation are what the services take', async () => {
  const values: Record<string, object> = unfilled()
  await fillSecrets('gatehouse', mail, createSecretsManager(values))
  const { 'gatehouse/mail': login, ...keys } = values
  expect(login).toEqual(mail)
  const names = ['ASSERTION_PRIVATE_JWK', 'ASSERTION_PUBLIC_JWKS', 'KEY_ENCRYPTION_KEY'] as const
  expect(() => readConfig(names, Object.assign({}, ...Object.values(keys)))).not.toThrow()
})

test.each(Object.keys(filledSecrets))('keys that are there are never written over: %s', async (secret) => {
  const values: Record<string, object> = unfilled()
  const field = filledSecrets[secret as keyof typeof filledSecrets][0]
  values[`gatehouse/${secret}`] = { [field]: 'the only copy' }
  const before = structuredClone(values)
  await expect(fillSecrets('gatehouse', mail, createSecretsManager(values))).rejects.toThrow(
    AlreadyFilledError,
  )
  expect(values).toEqual(before)
})
