import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SystemUser } from './child-server.ts'

/** Makes a folder that only `user` (by default: we) and root can read. */
export async function createTemporaryFolder(name: string, user?: SystemUser): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `gatehouse-${name}-`))
  if (user) await chown(folder, user.uid, user.gid)
  return folder
}

export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
}
