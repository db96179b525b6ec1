import { ConfigError } from '../../shared/config.ts'

/** @throws ConfigError where links that are secrets would go to the log, and to nobody who needs them */
export function requireMailInProduction(config: { NODE_ENV: string; SMTP_URL: string | undefined }): void {
  if (config.NODE_ENV === 'production' && !config.SMTP_URL) {
    throw new ConfigError(['SMTP_URL is missing: in production mail goes out, not to the log'])
  }
}
