/** Files made by the formats' own writers, in base64: NumPy 2.4.6 and the Python package safetensors 0.8.0. */

export const files = {
  /** save({f32: [[1.5, -2], [3, 4]], f64: [0.1], i32: [7, -8], i64: [5, -6], u8: [255], bool: [True, False, True],
   * empty: zeros((0, 3)), scalar: 2.5}, metadata={"who": "safetensors 0.8.0"}) */
  safetensors: [
    'AAIAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJ3aG8iOiJzYWZldGVuc29ycyAwLjguMCJ9LCJpNjQiOnsiZHR5cGUiOi',
    'JJNjQiLCJzaGFwZSI6WzJdLCJkYXRhX29mZnNldHMiOlswLDE2XX0sImY2NCI6eyJkdHlwZSI6IkY2NCIsInNoYXBl',
    'IjpbMV0sImRhdGFfb2Zmc2V0cyI6WzE2LDI0XX0sImVtcHR5Ijp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlswLDNdLC',
    'JkYXRhX29mZnNldHMiOlsyNCwyNF19LCJmMzIiOnsiZHR5cGUiOiJGMzIiLCJzaGFwZSI6WzIsMl0sImRhdGFfb2Zm',
    'c2V0cyI6WzI0LDQwXX0sInNjYWxhciI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbXSwiZGF0YV9vZmZzZXRzIjpbND',
    'AsNDRdfSwiaTMyIjp7ImR0eXBlIjoiSTMyIiwic2hhcGUiOlsyXSwiZGF0YV9vZmZzZXRzIjpbNDQsNTJdfSwidTgi',
    'OnsiZHR5cGUiOiJVOCIsInNoYXBlIjpbMV0sImRhdGFfb2Zmc2V0cyI6WzUyLDUzXX0sImJvb2wiOnsiZHR5cGUiOi',
    'JCT09MIiwic2hhcGUiOlszXSwiZGF0YV9vZmZzZXRzIjpbNTMsNTZdfX0gICAgIAUAAAAAAAAA+v////////+amZmZ',
    'mZm5PwAAwD8AAADAAABAQAAAgEAAACBABwAAAPj/////AQAB',
  ].join(''),
  /** arange(6, dtype="<f4").reshape(2, 3) */
  rows: [
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLC',
    'B9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAACA',
    'PwAAAEAAAEBAAACAQAAAoEA=',
  ].join(''),
  /** the same in column-major order */
  columns: [
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMyksIH',
    '0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAABA',
    'QAAAgD8AAIBAAAAAQAAAoEA=',
  ].join(''),
  /** the same as ">f8" */
  bigEndian: [
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPmY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLC',
    'B9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAA',
    'AD/wAAAAAAAAQAAAAAAAAABACAAAAAAAAEAQAAAAAAAAQBQAAAAAAAA=',
  ].join(''),
  /** [True, False] */
  bool: [
    'k05VTVBZAQB2AHsnZGVzY3InOiAnfGIxJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsKSwgfS',
    'AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoBAA==',
  ].join(''),
  /** [[-1, 2**31 - 1]] as "<i8" */
  int64: [
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGk4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDEsIDIpLC',
    'B9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAr/////////',
    '/////38AAAAA',
  ].join(''),
  /** [0, 1, 2] as "<i4", format version 2.0 */
  version2: [
    'k05VTVBZAgB0AAAAeydkZXNjcic6ICc8aTQnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMywpLC',
    'B9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAQAA',
    'AAIAAAA=',
  ].join(''),
  /** array(3.5) */
  scalar: [
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKCksIH0gIC',
    'AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAM',
    'QA==',
  ].join(''),
  /** [65535] as ">u2" */
  uint16: [
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPnUyJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDEsKSwgfS',
    'AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAr//w==',
  ].join(''),
  /** savez_compressed(x=arange(6, dtype="<f4").reshape(2, 3), y=array([1, 2], dtype="<i4")) */
  npz: [
    'UEsDBC0AAAAIAAAAIQBP6QAq//////////8FABQAeC5ucHkBABAAmAAAAAAAAABVAAAAAAAAAJvsF+obEMnIUMZQrZ',
    '6SWpxcpG6loG6TZqKuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6CsaaOgq1CmQDLgYwaLAHEg5ABMQN',
    'QLzAAQBQSwMELQAAAAgAAAAhAAv5qi3//////////wUAFAB5Lm5weQEAEACIAAAAAAAAAEsAAAAAAAAAm+wX6hsQyc',
    'hQxlCtnpJanFykbqWgbpNpoq6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaRjqaOgq1ChQALkYGBgYmIAYA',
    'UEsBAi0DLQAAAAgAAAAhAE/pACpVAAAAmAAAAAUAAAAAAAAAAAAAAIABAAAAAHgubnB5UEsBAi0DLQAAAAgAAAAhAA',
    'v5qi1LAAAAiAAAAAUAAAAAAAAAAAAAAIABjAAAAHkubnB5UEsFBgAAAAACAAIAZgAAAA4BAAAAAA==',
  ].join(''),
  /** [None], pickled */
  objects: [
    'k05VTVBZAQB2AHsnZGVzY3InOiAnfE8nLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMSwpLCB9IC',
    'AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAqABJWKAAAA',
    'AAAAAIwWbnVtcHkuX2NvcmUubXVsdGlhcnJheZSMDF9yZWNvbnN0cnVjdJSTlIwFbnVtcHmUjAduZGFycmF5lJOUSw',
    'CFlEMBYpSHlFKUKEsBSwGFlGgDjAVkdHlwZZSTlIwCTziUiYiHlFKUKEsDjAF8lE5OTkr/////Sv////9LP3SUYold',
    'lE5hdJRiLg==',
  ].join(''),
  /** zeros(1, dtype=[("a", "<f4")]) */
  records: [
    'k05VTVBZAQB2AHsnZGVzY3InOiBbKCdhJywgJzxmNCcpXSwgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJz',
    'ogKDEsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAA',
  ].join(''),
} as const;

/** The bytes of one of them. */
export function bytesOf(name: keyof typeof files): Uint8Array {
  return Uint8Array.from(Buffer.from(files[name], 'base64'));
}
