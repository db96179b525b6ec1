// Verifies assertions of the gateway by the document of its keys, with the JDK alone. Run:
//
//   java Verify.java URL AUDIENCE
//
// It reads assertions, one a line, and writes for each the user as JSON (null where nobody is signed
// in) or the reason why it is rejected. The JDK has no JSON parser: use that of your framework in place of the one at the end.

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigInteger;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

public class Verify {
  static final long LEEWAY_SECONDS = 30;
  static final Duration CACHE = Duration.ofMinutes(10);
  static final Duration PAUSE = Duration.ofSeconds(30);

  static class Rejected extends Exception {
    Rejected(String reason) {
      super(reason);
    }
  }

  /** The document, read at first use, again after ten minutes, and for an unknown key id. */
  static class Keys {
    private final HttpClient client = HttpClient.newHttpClient();
    private final URI url;
    private Map<String, PublicKey> keys = Map.of();
    private Instant readAt = Instant.EPOCH;

    Keys(String url) {
      this.url = URI.create(url);
    }

    synchronized PublicKey find(Object kid) throws Exception {
      Duration age = Duration.between(readAt, Instant.now());
      boolean isKnown = kid instanceof String && keys.containsKey(kid);
      if (age.compareTo(CACHE) > 0 || (!isKnown && age.compareTo(PAUSE) > 0)) read();
      PublicKey key = kid instanceof String ? keys.get(kid) : null;
      if (key == null) throw new Rejected("unknown key");
      return key;
    }

    private void read() throws IOException, InterruptedException, GeneralSecurityException {
      var request = HttpRequest.newBuilder(url).timeout(Duration.ofSeconds(3)).build();
      var response = client.send(request, BodyHandlers.ofString());
      if (response.statusCode() != 200)
        throw new IOException("the keys answered " + response.statusCode());
      var document = (Map<?, ?>) Json.parse(response.body());
      var parameters = AlgorithmParameters.getInstance("EC");
      parameters.init(new ECGenParameterSpec("secp256r1"));
      var curve = parameters.getParameterSpec(ECParameterSpec.class);
      var next = new HashMap<String, PublicKey>();
      for (Object each : (List<?>) document.get("keys")) {
        var jwk = (Map<?, ?>) each;
        if (!"EC".equals(jwk.get("kty")) || !"P-256".equals(jwk.get("crv"))) continue;
        var point = new ECPoint(number(jwk.get("x")), number(jwk.get("y")));
        var spec = new ECPublicKeySpec(point, curve);
        next.put((String) jwk.get("kid"), KeyFactory.getInstance("EC").generatePublic(spec));
      }
      keys = next;
      readAt = Instant.now();
    }

    private static BigInteger number(Object part) {
      return new BigInteger(1, decode((String) part));
    }
  }

  static byte[] decode(String part) {
    return Base64.getUrlDecoder().decode(part);
  }

  /** Returns the user, or null where nobody is signed in. */
  static Object verify(String assertion, Keys keys, String audience) throws Exception {
    String[] parts = assertion.split("\\.", -1);
    if (parts.length != 3) throw new Rejected("not a JWT");
    Map<?, ?> header;
    Map<?, ?> claims;
    byte[] raw;
    try {
      header = (Map<?, ?>) Json.parse(new String(decode(parts[0]), StandardCharsets.UTF_8));
      claims = (Map<?, ?>) Json.parse(new String(decode(parts[1]), StandardCharsets.UTF_8));
      raw = decode(parts[2]);
    } catch (RuntimeException error) {
      throw new Rejected("not a JWT");
    }
    // The algorithm is ours to choose, never the sender's.
    if (!"ES256".equals(header.get("alg"))
        || !"gatehouse-assertion+jwt".equals(header.get("typ"))
        || raw.length != 64) throw new Rejected("header");
    Signature signature = Signature.getInstance("SHA256withECDSAinP1363Format");
    signature.initVerify(keys.find(header.get("kid")));
    signature.update((parts[0] + "." + parts[1]).getBytes(StandardCharsets.US_ASCII));
    if (!signature.verify(raw)) throw new Rejected("signature");
    if (!"gatehouse-gateway".equals(claims.get("iss")) || !audience.equals(claims.get("aud")))
      throw new Rejected("iss or aud");
    long now = Instant.now().getEpochSecond();
    if (!(claims.get("iat") instanceof Double iat && claims.get("exp") instanceof Double exp)
        || iat - LEEWAY_SECONDS > now
        || exp + LEEWAY_SECONDS < now) throw new Rejected("iat or exp");
    return claims.get("user");
  }

  public static void main(String[] args) throws Exception {
    var keys = new Keys(args[0]);
    var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
    var out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      try {
        out.println(Json.write(verify(line, keys, args[1])));
      } catch (Rejected reason) {
        out.println("rejected: " + reason.getMessage());
      }
    }
  }

  /** As much of RFC 8259 as this example needs. Numbers are doubles. */
  static class Json {
    private final String text;
    private int at;

    private Json(String text) {
      this.text = text;
    }

    static Object parse(String text) {
      Json json = new Json(text);
      Object value = json.value();
      json.skip();
      if (json.at != text.length()) throw new IllegalArgumentException("not JSON");
      return value;
    }

    private void skip() {
      while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
    }

    private boolean take(String expected) {
      skip();
      if (!text.startsWith(expected, at)) return false;
      at += expected.length();
      return true;
    }

    private void need(String expected) {
      if (!take(expected)) throw new IllegalArgumentException("not JSON");
    }

    private Object value() {
      if (take("{")) return object();
      if (take("[")) return array();
      if (take("\"")) return string();
      if (take("null")) return null;
      if (take("true")) return true;
      if (take("false")) return false;
      int from = at;
      while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) at++;
      return Double.valueOf(text.substring(from, at));
    }

    private Map<String, Object> object() {
      var members = new LinkedHashMap<String, Object>();
      if (take("}")) return members;
      do {
        need("\"");
        String name = string();
        need(":");
        members.put(name, value());
      } while (take(","));
      need("}");
      return members;
    }

    private List<Object> array() {
      var items = new ArrayList<Object>();
      if (take("]")) return items;
      do items.add(value()); while (take(","));
      need("]");
      return items;
    }

    private String string() {
      var result = new StringBuilder();
      while (text.charAt(at) != '"') {
        char next = text.charAt(at++);
        if (next != '\\') {
          result.append(next);
          continue;
        }
        char escape = text.charAt(at++);
        int plain = "\"\\/bfnrt".indexOf(escape);
        if (plain >= 0) result.append("\"\\/\b\f\n\r\t".charAt(plain));
        else if (escape == 'u') {
          result.append((char) Integer.parseInt(text.substring(at, at + 4), 16));
          at += 4;
        } else throw new IllegalArgumentException("not JSON");
      }
      at++;
      return result.toString();
    }

    static String write(Object value) {
      if (value instanceof Map<?, ?> members) {
        var parts = new ArrayList<String>();
        members.forEach((name, each) -> parts.add(write(name) + ":" + write(each)));
        return "{" + String.join(",", parts) + "}";
      }
      if (value instanceof List<?> items)
        return "[" + String.join(",", items.stream().map(Json::write).toList()) + "]";
      if (value instanceof String string)
        return "\"" + string.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
      if (value instanceof Double number && number == Math.rint(number))
        return String.valueOf(number.longValue());
      return String.valueOf(value);
    }
  }
}
