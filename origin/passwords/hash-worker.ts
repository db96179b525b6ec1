import bcrypt from 'bcryptjs'

export function hash({ digest, cost }: { digest: string; cost: number }): string {
  return bcrypt.hashSync(digest, cost)
}

export function compare({ digest, stored }: { digest: string; stored: string }): boolean {
  return bcrypt.compareSync(digest, stored)
}
