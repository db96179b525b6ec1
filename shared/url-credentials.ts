/**
 * A user and a password in variables beside the URL, for platforms that inject each field of a
 * secret by itself: a rotated password is then one field, and no URL is written again.
 */

export const urlsWithCredentials = {
  DATABASE_URL: { user: 'DATABASE_USER', password: 'DATABASE_PASSWORD' },
  REDIS_URL: { user: 'REDIS_USER', password: 'REDIS_PASSWORD' },
  REVOCATION_REDIS_URL: { user: 'REVOCATION_REDIS_USER', password: 'REVOCATION_REDIS_PASSWORD' },
  SMTP_URL: { user: 'SMTP_USER', password: 'SMTP_PASSWORD' },
} as const

/** Why a user or a password does not go into its URL: begins with the variable's name. */
export class UrlCredentialsError extends Error {}

const form = /^([a-z][a-z+-]*:\/\/)([^/?#]*)(.*)$/s

const isNamed = (name: string): name is keyof typeof urlsWithCredentials =>
  Object.hasOwn(urlsWithCredentials, name)

/**
 * The URL of that variable with the user and the password of the variables beside it, escaped.
 *
 * @throws UrlCredentialsError without any value
 */
export function withCredentials(
  name: string,
  url: string | undefined,
  environment: Record<string, string | undefined>,
): string | undefined {
  if (!isNamed(name)) return url
  const { user, password } = urlsWithCredentials[name]
  const [userValue, passwordValue] = [environment[user] || undefined, environment[password] || undefined]
  if (userValue === undefined && passwordValue === undefined) return url
  if (passwordValue === undefined) throw new UrlCredentialsError(`${user} needs ${password}`)
  const [, scheme, authority = '', rest = ''] = form.exec(url ?? '') ?? []
  if (scheme === undefined) throw new UrlCredentialsError(`${password} needs a URL in ${name}`)
  if (authority.includes('@'))
    throw new UrlCredentialsError(`${name} must have no user and no password where ${password} is set`)
  const login = `${encodeURIComponent(userValue ?? '')}:${encodeURIComponent(passwordValue)}`
  return `${scheme}${login}@${authority}${rest}`
}
