package release;

import java.util.Map;
import java.util.stream.Collectors;

/** The answer at "/health": UP and the facts of the release, as JSON. */
final class Health {

    private Health() {}

    static String json(Release release) {
        String facts = release.facts().entrySet().stream().map(Health::member).collect(Collectors.joining(", "));
        return "{\"status\": \"UP\", " + facts + "}\n";
    }

    private static String member(Map.Entry<String, String> fact) {
        return quote(fact.getKey()) + ": " + quote(fact.getValue());
    }

    static String quote(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        text.chars().forEach(character -> {
            if (character == '"' || character == '\\') {
                quoted.append('\\').append((char) character);
            } else if (character < ' ') {
                quoted.append(String.format("\\u%04x", character));
            } else {
                quoted.append((char) character);
            }
        });
        return quoted.append('"').toString();
    }
}
