import "./corpus.test";
import "./pdfcrypt.test";
import "./pdfhazards.test";
import "./pdfhole.test";
import "./pdfstream.test";
import "./review_reach.test";
import "./vectors.test";
