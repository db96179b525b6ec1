/** Whether a request may be sent twice: it reads and changes nothing (RFC 9110, section 9.2.1). */
export const isRepeatable = (method: string): boolean => method === 'GET' || method === 'HEAD'
