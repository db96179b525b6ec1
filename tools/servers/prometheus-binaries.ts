import { findProgram, type Program } from './find-program.ts'

/**
 * Prometheus or its promtool: of this machine, else those that the system's package manager
 * fetches.
 *
 * @throws Error with what to install where there are none to be had
 */
export async function findPrometheusBinary(name: 'prometheus' | 'promtool'): Promise<Program> {
  try {
    return await findProgram({ names: [name], apt: 'prometheus', homebrew: 'prometheus' })
  } catch (cause) {
    throw new Error(
      `The tests of alerts need Prometheus: there is no ${name} on the PATH, and none could be fetched by apt-get or Homebrew.`,
      { cause },
    )
  }
}
