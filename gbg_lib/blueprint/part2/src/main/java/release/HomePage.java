package release;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The page at "/": home.html with the words of appearance.properties and the facts of the release. */
final class HomePage {

    private static final Pattern PLACE = Pattern.compile("\\$\\{(\\w+)}");
    private static final Pattern COLOUR = Pattern.compile("#[0-9a-fA-F]{3,8}|[a-zA-Z]+");

    private final String html;

    HomePage(Properties appearance, Release release) {
        Map<String, String> words = new HashMap<>(release.facts());
        appearance.forEach((name, value) -> words.put((String) name, (String) value));
        if (!COLOUR.matcher(words.getOrDefault("colour", "")).matches()) {
            throw new IllegalArgumentException(
                    "appearance.properties: colour must be a name or #rrggbb, not " + words.get("colour"));
        }
        html = PLACE.matcher(template()).replaceAll(place -> Matcher.quoteReplacement(word(words, place.group(1))));
    }

    String html() {
        return html;
    }

    static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }

    private static String word(Map<String, String> words, String name) {
        if (!words.containsKey(name)) {
            throw new IllegalArgumentException("home.html asks for " + name + ", which nothing gives");
        }
        return escape(words.get(name));
    }

    private static String template() {
        try (InputStream stream = HomePage.class.getResourceAsStream("/home.html")) {
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException problem) {
            throw new UncheckedIOException(problem);
        }
    }
}
