package release;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class HealthTest {

    @Test
    void saysUpAndWhatRuns() {
        Release release = new Release("1.2.3", "abc123", "ami-1", "i-2", "us-east-1a", "d-3");

        assertEquals(
                "{\"status\": \"UP\", \"version\": \"1.2.3\", \"commit\": \"abc123\", \"image\": \"ami-1\","
                        + " \"instance\": \"i-2\", \"zone\": \"us-east-1a\", \"deployment\": \"d-3\"}\n",
                Health.json(release));
    }

    @Test
    void quotesWhatJsonQuotes() {
        assertEquals("\"a\\\"b\\\\c\\u000a\"", Health.quote("a\"b\\c\n"));
    }
}
