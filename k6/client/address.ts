/** Each user has an address of their own: 10.0.0.0/8 has room for all. */
export const addressOf = (number: number) => `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`
