package release;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Properties;
import org.junit.jupiter.api.Test;

class HomePageTest {

    private static final Release RELEASE = new Release("1.2.3", "abc123", "ami-1", "i-2", "us-east-1a", "d-3");

    @Test
    void showsEveryFactOfTheRelease() {
        String html = new HomePage(appearance("Hello", "#123456"), RELEASE).html();

        RELEASE.facts().values().forEach(fact -> assertTrue(html.contains(">" + fact + "<"), fact));
        assertTrue(html.contains("--colour: #123456"));
        assertFalse(html.contains("${"));
    }

    @Test
    void wordsAreText_notMarkup() {
        String html = new HomePage(appearance("<b>$1 & \"more\"</b>", "teal"), RELEASE).html();

        assertTrue(html.contains("&lt;b&gt;$1 &amp; &quot;more&quot;&lt;/b&gt;"));
    }

    @Test
    void aColourThatIsNoneIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> new HomePage(appearance("x", "red; }"), RELEASE));
    }

    @Test
    void theAppearanceInThisRepositoryIsComplete() {
        new HomePage(Release.resource("appearance.properties"), RELEASE);
    }

    private static Properties appearance(String headline, String colour) {
        Properties appearance = new Properties();
        appearance.setProperty("headline", headline);
        appearance.setProperty("message", "message");
        appearance.setProperty("colour", colour);
        return appearance;
    }
}
